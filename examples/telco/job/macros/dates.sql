-- A legacy date as DATE: '1999-12-31' or '31.12.1999'. Unknown ones (NULL, blank, '0000-00-00') are NULL, and so are
-- those that nobody can read; `unreadable_date` tells the two apart.
CREATE MACRO legacy_date(v) AS
    CASE WHEN regexp_full_match(trim(CAST(v AS VARCHAR)), '[0-9]{4}-[0-9]{2}-[0-9]{2}')
              THEN TRY_CAST(trim(CAST(v AS VARCHAR)) AS DATE)
         WHEN regexp_full_match(trim(CAST(v AS VARCHAR)), '[0-9]{2}[.][0-9]{2}[.][0-9]{4}')
              THEN CAST(try_strptime(trim(CAST(v AS VARCHAR)), '%d.%m.%Y') AS DATE) END;

-- True for a text that means to be a date and is none.
CREATE MACRO unreadable_date(v) AS
    coalesce(trim(CAST(v AS VARCHAR)) NOT IN ('', '0000-00-00') AND legacy_date(v) IS NULL, false);
