select i.unit_key, iid, a.id as account, amount from legacy.invoices i join billing.account a using (unit_key)
