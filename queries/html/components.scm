; Elements with an id, by the id; the landmarks of a page, by the tag's name.

(element
  (start_tag
    (attribute
      (attribute_name) @_attribute
      (quoted_attribute_value (attribute_value) @name)))
  (#eq? @_attribute "id")) @element
(element
  (start_tag (tag_name) @name)
  (#any-of? @name "head" "body" "header" "nav" "main" "footer" "aside" "form" "dialog")) @element
(script_element (start_tag (tag_name) @name)) @element
(style_element (start_tag (tag_name) @name)) @element
