; The members of the outermost object, by key.

(document (object (pair key: (string) @name) @key))
