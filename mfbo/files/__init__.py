"""Files that anybody may have written: read within bounds, copied without links, printed without control characters."""
