"""What a plan leaves behind: a folder of tables (``folder``), a GeoPackage, an offline map and a one-screen summary (``summary``)."""
