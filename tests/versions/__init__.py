"""The wheel with the oldest and the newest packages that it allows, on every Python that is found."""
