"""Networks as files, read and written."""
