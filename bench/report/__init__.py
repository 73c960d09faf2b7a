"""Results for people: documents made of results, and the formats and charts that show them."""
