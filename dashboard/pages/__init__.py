"""The pages, one file for each subject: requests in, HTML or data out."""
