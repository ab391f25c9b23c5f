"""Images that were made elsewhere: which file is which sample of a suite, and what a file shows. Nothing is written here."""
