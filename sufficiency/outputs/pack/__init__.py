"""The meeting pack: a printed brief, workbook, maps and annexes per council and per partnership (``write``), and papers for families."""
