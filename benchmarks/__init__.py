"""Side by side with what a user would write instead; each prints a table and a last line `bench NAME key=value ...`."""
