"""Method adapters: one file each. They import nothing heavy before they are loaded."""
