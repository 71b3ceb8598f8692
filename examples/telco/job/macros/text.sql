-- A blank is no value, and blanks around a value are no part of it.
CREATE MACRO blank_to_null(v) AS nullif(trim(CAST(v AS VARCHAR)), '');

-- Undoes UTF-8 that was once read as Windows-1252, letter by letter, only where the pair cannot mean anything else.
-- A lone 'Ã' stays: JOÃO is a name.
CREATE MACRO repair_text(v) AS
    replace(replace(replace(replace(replace(replace(replace(replace(replace(
        blank_to_null(v),
        'Ã¤', 'ä'), 'Ã¶', 'ö'), 'Ã¼', 'ü'), 'Ã„', 'Ä'), 'Ã–', 'Ö'), 'Ãœ', 'Ü'), 'ÃŸ', 'ß'), 'Ã©', 'é'), 'Ã¨', 'è');

-- A phone number as +49..., however it was typed; `lib/phone.py` does the same in Python, and refuses what is none.
CREATE MACRO phone_number(v) AS
    regexp_replace(regexp_replace(regexp_replace(
        blank_to_null(v), '[\s/()-]', '', 'g'), '^00', '+'), '^0', '+49');

-- The name a customer goes by: the company's, or the person's first and last name; NULL if there is none.
CREATE MACRO full_name(kind, company_name, first_name, last_name) AS
    CASE WHEN kind = 'B' THEN repair_text(company_name)
         ELSE nullif(concat_ws(' ', repair_text(first_name), repair_text(last_name)), '') END;
