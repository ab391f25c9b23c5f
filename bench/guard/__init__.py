"""How code of plugins is called: bounded in time, what it does to the process undone, in processes that it may end, keep or leave things in."""
