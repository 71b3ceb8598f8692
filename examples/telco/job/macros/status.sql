-- What a legacy status letter means in the words of the new systems; NULL for a letter that nobody knows.
CREATE MACRO status_name(letter) AS (SELECT s.name FROM ref.status_codes s WHERE s.code = letter);
