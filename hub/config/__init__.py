"""The site file: YAML in, a checked `hub.site.Site` out, or every problem found, with its line, its key and what would
be right."""

from hub.config.site_file import SiteFile, SiteFileMissing, WrongSiteFile, read_site

__all__ = ["SiteFile", "SiteFileMissing", "WrongSiteFile", "read_site"]
