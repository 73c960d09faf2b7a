"""The page: documents as a single file of HTML that needs no network, with charts where they can be drawn."""
