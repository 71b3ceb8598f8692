-- Without blanks around it, and without the traces of a wrong encoding; a blank is no value. A lone 'Ã' stays: JOÃO is a name.
CREATE MACRO repair_text(v) AS fix_mojibake(blank_to_null(v));

-- The name a customer goes by: the company's, or the person's first and last name; NULL if there is none.
CREATE MACRO full_name(kind, company_name, first_name, last_name) AS
    CASE WHEN kind = 'B' THEN repair_text(company_name)
         ELSE nullif(concat_ws(' ', repair_text(first_name), repair_text(last_name)), '') END;
