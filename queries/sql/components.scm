; What a script creates.

(statement (create_table (object_reference) @name)) @table
(statement (create_view (object_reference) @name)) @table
(statement (create_materialized_view (object_reference) @name)) @table
(statement (create_function (object_reference) @name)) @function
(statement (create_type (object_reference) @name)) @type
(statement (create_index column: (identifier) @name)) @key
(statement (create_trigger . (_) . (keyword_trigger) . (object_reference) @name)) @function
(statement (create_schema (identifier) @name)) @module
