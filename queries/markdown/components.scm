; Sections by their heading: a section goes on to the next heading of its level.

(section (atx_heading heading_content: (inline) @name)) @heading
(section (setext_heading heading_content: (paragraph (inline) @name))) @heading
