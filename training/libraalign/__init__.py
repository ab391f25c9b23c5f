"""LibraAlign: preference data with two annotations, safety and quality (paper Sec. 3). ``bench train libraalign`` builds it."""
