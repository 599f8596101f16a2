"""What a host adds to the pages: panels, links, the way to traces."""
