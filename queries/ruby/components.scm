; What a Ruby file declares; methods lie in classes and modules.

(module name: (_) @name) @module
(class name: (_) @name) @class
(method name: (_) @name) @method
(singleton_method name: (_) @name) @method
(program (assignment left: (constant) @name) @variable)
(body_statement (assignment left: (constant) @name) @property)
