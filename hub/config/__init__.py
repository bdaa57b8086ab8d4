"""Reads the site file: YAML in; out comes a checked `hub.site.Site`, or every problem with its line, its key and what
would be right."""

from hub.config.site_file import SiteFile, SiteFileMissing, WrongSiteFile, read_site

__all__ = ["SiteFile", "SiteFileMissing", "WrongSiteFile", "read_site"]
