-- Marks of the users whose database this is: made with a secret that each keeps in a folder of their own, so that a database which
-- came with a repository is not taken for one's own. Put in when the database is made, or when its user takes it over.
CREATE TABLE seals (
    salt TEXT PRIMARY KEY NOT NULL,
    mark TEXT NOT NULL
) STRICT;
