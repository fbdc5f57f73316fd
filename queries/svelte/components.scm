; Elements with an id, by the id; script, style and snippets by name. What scripts declare is found in the script.

(element
  (start_tag
    (attribute
      (attribute_name) @_attribute
      (quoted_attribute_value (attribute_value) @name)))
  (#eq? @_attribute "id")) @element
(script_element (start_tag (tag_name) @name)) @element
(style_element (start_tag (tag_name) @name)) @element
(snippet_statement (snippet_start (snippet_name) @name)) @function
