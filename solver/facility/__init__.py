"""Problems of one period whose options are sites, open or not: capacitated facility location, with a method of its own.

``shape.facility_of`` recognises them, ``search.solve_facility`` solves them.
"""
