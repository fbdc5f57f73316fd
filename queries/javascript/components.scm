; What a JavaScript file declares. `@name` is the name, the other capture its whole extent and its kind.
; The earlier of two patterns for one name gives the kind; the wider extent counts.

(function_declaration name: (identifier) @name) @function
(generator_function_declaration name: (identifier) @name) @function
(class_declaration name: (identifier) @name) @class
(lexical_declaration
  (variable_declarator name: (identifier) @name value: [(arrow_function) (function_expression) (generator_function)])) @function
(variable_declaration
  (variable_declarator name: (identifier) @name value: [(arrow_function) (function_expression) (generator_function)])) @function
(lexical_declaration (variable_declarator name: (identifier) @name value: (class))) @class
(lexical_declaration (variable_declarator name: (identifier) @name)) @variable
(variable_declaration (variable_declarator name: (identifier) @name)) @variable
(method_definition name: (_) @name) @method
(field_definition property: (_) @name) @property

(export_statement declaration: (function_declaration name: (identifier) @name)) @function
(export_statement declaration: (generator_function_declaration name: (identifier) @name)) @function
(export_statement declaration: (class_declaration name: (identifier) @name)) @class
(export_statement declaration: (lexical_declaration (variable_declarator name: (identifier) @name))) @variable
(export_statement declaration: (variable_declaration (variable_declarator name: (identifier) @name))) @variable
