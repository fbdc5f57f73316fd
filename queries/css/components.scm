; Rules by selector, at-rules by what they are for.

(rule_set (selectors) @name) @rule
(keyframes_statement (keyframes_name) @name) @rule
(media_statement . (_) @name) @rule
