-- The new billing database. Its constraints speak: what does not fit here does not move.
CREATE TABLE account (
    account_id INTEGER NOT NULL PRIMARY KEY,
    legacy_id INTEGER NOT NULL UNIQUE,
    crm_id TEXT NOT NULL UNIQUE,
    kind VARCHAR(12) NOT NULL CHECK (kind IN ('person', 'business')),
    name VARCHAR(80) NOT NULL,
    born_on DATE,
    status VARCHAR(12) NOT NULL CHECK (status IN ('active', 'suspended', 'terminated')),
    credit_limit DECIMAL(12,2),
    opened_on DATE,
    CONSTRAINT account_name_fits CHECK (length(name) <= 80)
);
CREATE TABLE address (
    address_id INTEGER NOT NULL PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES account (account_id),
    kind VARCHAR(10) NOT NULL,
    line VARCHAR(100) NOT NULL,
    postcode VARCHAR(10),
    city VARCHAR(60),
    country CHAR(2) NOT NULL
);
CREATE TABLE contract (
    contract_id TEXT NOT NULL PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES account (account_id),
    contract_no VARCHAR(20) NOT NULL UNIQUE,
    signed_on DATE,
    ends_on DATE,
    term_months INTEGER,
    status VARCHAR(12) NOT NULL
);
CREATE TABLE subscription (
    subscription_id TEXT NOT NULL PRIMARY KEY,
    contract_id TEXT NOT NULL REFERENCES contract (contract_id),
    tariff_code VARCHAR(12) NOT NULL,
    tariff_name VARCHAR(60) NOT NULL,
    started_on DATE,
    monthly_fee DECIMAL(12,2) NOT NULL,
    discount DECIMAL(12,2) NOT NULL,
    status VARCHAR(12) NOT NULL
);
CREATE TABLE charge (
    account_id INTEGER NOT NULL REFERENCES account (account_id),
    invoice_no VARCHAR(20) NOT NULL,
    line_no INTEGER NOT NULL,
    issued_on DATE NOT NULL,
    kind VARCHAR(12) NOT NULL,
    description VARCHAR(80),
    amount DECIMAL(12,2) NOT NULL,
    PRIMARY KEY (invoice_no, line_no)
);
CREATE TABLE payment (
    payment_id INTEGER NOT NULL PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES account (account_id),
    invoice_no VARCHAR(20),
    paid_on DATE NOT NULL,
    amount DECIMAL(12,2) NOT NULL,
    method VARCHAR(12) NOT NULL
);
CREATE TABLE usage_summary (
    subscription_id TEXT NOT NULL REFERENCES subscription (subscription_id),
    period CHAR(7) NOT NULL,
    kind VARCHAR(8) NOT NULL,
    records INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    charge DECIMAL(12,2) NOT NULL,
    PRIMARY KEY (subscription_id, period, kind)
);
CREATE INDEX address_account ON address (account_id);
CREATE INDEX contract_account ON contract (account_id);
CREATE INDEX subscription_contract ON subscription (contract_id);
CREATE INDEX charge_account ON charge (account_id);
CREATE INDEX payment_account ON payment (account_id);
