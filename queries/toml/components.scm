; Keys before the first table, and tables by their header.

(document (pair . (_) @name) @key)
(document (table . (_) @name) @table)
(document (table_array_element . (_) @name) @table)
