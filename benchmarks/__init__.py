"""One file for each question; peers in the same run on the same data; JSON lines out."""
