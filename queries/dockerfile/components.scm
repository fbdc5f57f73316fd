; Stages by their alias, build arguments and settings by name.

(from_instruction as: (image_alias) @name) @stage
(arg_instruction (arg_pair name: (_) @name)) @variable
(env_instruction (env_pair name: (_) @name)) @variable
