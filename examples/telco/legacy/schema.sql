-- The legacy billing database, as twenty years of use have left it. No foreign keys were ever declared: that is how
-- orphans came about. Dates that people typed are text, in whatever form they typed them.
CREATE TABLE tariffs (
    tariff_code VARCHAR(12) NOT NULL PRIMARY KEY,
    name VARCHAR(60) NOT NULL,
    kind VARCHAR(10) NOT NULL,
    monthly_fee DECIMAL(12,2) NOT NULL,
    valid_from DATE NOT NULL
);
CREATE TABLE customers (
    customer_id INTEGER NOT NULL PRIMARY KEY,
    kind CHAR(1) NOT NULL,
    salutation VARCHAR(10),
    first_name VARCHAR(60),
    last_name VARCHAR(60),
    company_name VARCHAR(200),
    born_on VARCHAR(10),
    status CHAR(1) NOT NULL,
    credit_limit DECIMAL(12,2),
    created_on VARCHAR(10),
    remarks TEXT
);
CREATE TABLE addresses (
    address_id INTEGER NOT NULL PRIMARY KEY,
    customer_id INTEGER NOT NULL,
    kind VARCHAR(10) NOT NULL,
    street VARCHAR(80),
    house_no VARCHAR(10),
    postcode VARCHAR(10),
    city VARCHAR(60),
    country CHAR(2)
);
CREATE TABLE contacts (
    contact_id INTEGER NOT NULL PRIMARY KEY,
    customer_id INTEGER NOT NULL,
    kind VARCHAR(10) NOT NULL,
    value VARCHAR(120),
    preferred INTEGER NOT NULL
);
CREATE TABLE contracts (
    contract_id INTEGER NOT NULL PRIMARY KEY,
    customer_id INTEGER NOT NULL,
    contract_no VARCHAR(20) NOT NULL,
    signed_on VARCHAR(10),
    ends_on VARCHAR(10),
    term_months INTEGER,
    status CHAR(1) NOT NULL
);
CREATE TABLE subscriptions (
    subscription_id INTEGER NOT NULL PRIMARY KEY,
    contract_id INTEGER NOT NULL,
    tariff_code VARCHAR(12) NOT NULL,
    started_on VARCHAR(10),
    monthly_fee DECIMAL(12,2) NOT NULL,
    status CHAR(1) NOT NULL
);
CREATE TABLE services (
    service_id INTEGER NOT NULL PRIMARY KEY,
    subscription_id INTEGER NOT NULL,
    kind VARCHAR(10) NOT NULL,
    msisdn VARCHAR(20),
    iccid VARCHAR(20),
    ont_serial VARCHAR(16),
    activated_on VARCHAR(10),
    status CHAR(1) NOT NULL
);
CREATE TABLE invoices (
    invoice_id INTEGER NOT NULL PRIMARY KEY,
    customer_id INTEGER NOT NULL,
    invoice_no VARCHAR(20) NOT NULL,
    issued_on DATE NOT NULL,
    total DECIMAL(12,2) NOT NULL
);
CREATE TABLE invoice_lines (
    line_id INTEGER NOT NULL PRIMARY KEY,
    invoice_id INTEGER NOT NULL,
    line_no INTEGER NOT NULL,
    kind VARCHAR(12) NOT NULL,
    description VARCHAR(80),
    amount DECIMAL(12,2) NOT NULL
);
CREATE TABLE payments (
    payment_id INTEGER NOT NULL PRIMARY KEY,
    customer_id INTEGER NOT NULL,
    invoice_id INTEGER,
    paid_on DATE NOT NULL,
    amount DECIMAL(12,2) NOT NULL,
    method VARCHAR(12) NOT NULL
);
CREATE TABLE usage_records (
    usage_id INTEGER NOT NULL PRIMARY KEY,
    service_id INTEGER NOT NULL,
    period CHAR(7) NOT NULL,
    kind VARCHAR(8) NOT NULL,
    quantity INTEGER NOT NULL,
    charge DECIMAL(12,2) NOT NULL
);
CREATE INDEX addresses_customer ON addresses (customer_id);
CREATE INDEX contacts_customer ON contacts (customer_id);
CREATE INDEX contracts_customer ON contracts (customer_id);
CREATE INDEX subscriptions_contract ON subscriptions (contract_id);
CREATE INDEX services_subscription ON services (subscription_id);
CREATE INDEX services_msisdn ON services (msisdn);
CREATE INDEX invoices_customer ON invoices (customer_id);
CREATE INDEX invoice_lines_invoice ON invoice_lines (invoice_id);
CREATE INDEX payments_customer ON payments (customer_id);
CREATE INDEX payments_invoice ON payments (invoice_id);
CREATE INDEX usage_records_service ON usage_records (service_id);
