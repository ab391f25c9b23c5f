"""The data that the user brings: read, checked against what is published, kept as one Parquet file a data set outside the repository."""
