; What a TypeScript file declares. `@name` is the name, the other capture its whole extent and its kind.
; The earlier of two patterns for one name gives the kind; the wider extent counts.

(function_declaration name: (identifier) @name) @function
(function_signature name: (identifier) @name) @function
(generator_function_declaration name: (identifier) @name) @function
(class_declaration name: (type_identifier) @name) @class
(abstract_class_declaration name: (type_identifier) @name) @class
(interface_declaration name: (type_identifier) @name) @interface
(type_alias_declaration name: (type_identifier) @name) @type
(enum_declaration name: (identifier) @name) @enum
(internal_module name: (_) @name) @module
(module name: (_) @name) @module
(lexical_declaration
  (variable_declarator name: (identifier) @name value: [(arrow_function) (function_expression) (generator_function)])) @function
(variable_declaration
  (variable_declarator name: (identifier) @name value: [(arrow_function) (function_expression) (generator_function)])) @function
(lexical_declaration (variable_declarator name: (identifier) @name value: (class))) @class
(lexical_declaration (variable_declarator name: (identifier) @name)) @variable
(variable_declaration (variable_declarator name: (identifier) @name)) @variable
(method_definition name: (_) @name) @method
(public_field_definition name: (_) @name) @property

(ambient_declaration (function_signature name: (identifier) @name)) @function
(ambient_declaration (class_declaration name: (type_identifier) @name)) @class
(ambient_declaration (lexical_declaration (variable_declarator name: (identifier) @name))) @variable
(export_statement declaration: (function_declaration name: (identifier) @name)) @function
(export_statement declaration: (function_signature name: (identifier) @name)) @function
(export_statement declaration: (generator_function_declaration name: (identifier) @name)) @function
(export_statement declaration: (class_declaration name: (type_identifier) @name)) @class
(export_statement declaration: (abstract_class_declaration name: (type_identifier) @name)) @class
(export_statement declaration: (interface_declaration name: (type_identifier) @name)) @interface
(export_statement declaration: (type_alias_declaration name: (type_identifier) @name)) @type
(export_statement declaration: (enum_declaration name: (identifier) @name)) @enum
(export_statement declaration: (internal_module name: (_) @name)) @module
(export_statement declaration: (lexical_declaration (variable_declarator name: (identifier) @name))) @variable
(export_statement declaration: (variable_declaration (variable_declarator name: (identifier) @name))) @variable
(export_statement declaration: (ambient_declaration (_ name: (_) @name))) @variable
