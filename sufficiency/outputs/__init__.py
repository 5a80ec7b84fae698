"""What a plan leaves behind: a folder of tables, a GeoPackage, an offline map and a one-screen summary."""

from sufficiency.outputs.folder import read_plan, write_plan
from sufficiency.outputs.summary import summary_text

__all__ = ["read_plan", "summary_text", "write_plan"]
