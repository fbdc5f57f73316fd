; Elements with an id, by the id; the blocks of the file, by the tag's name. What scripts declare is found in the script.

(element
  (start_tag
    (attribute
      (attribute_name) @_attribute
      (quoted_attribute_value (attribute_value) @name)))
  (#eq? @_attribute "id")) @element
(document (template_element (start_tag (tag_name) @name)) @element)
(script_element (start_tag (tag_name) @name)) @element
(style_element (start_tag (tag_name) @name)) @element
