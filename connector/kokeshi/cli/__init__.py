"""The command line: parsing and printing only, one module for each group of commands."""
