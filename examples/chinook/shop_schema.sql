-- The new shop.
CREATE TABLE customer (
    customer_id INTEGER NOT NULL PRIMARY KEY,
    crm_id TEXT NOT NULL UNIQUE,
    first_name VARCHAR(40) NOT NULL,
    last_name VARCHAR(20) NOT NULL,
    company VARCHAR(80),
    street VARCHAR(70),
    city VARCHAR(40),
    state VARCHAR(40),
    postal_code VARCHAR(10),
    country VARCHAR(40),
    phone VARCHAR(24),
    fax VARCHAR(24),
    email VARCHAR(60) NOT NULL
);
CREATE TABLE orders (
    order_id TEXT NOT NULL PRIMARY KEY,
    invoice_no INTEGER NOT NULL UNIQUE,
    customer_id INTEGER NOT NULL REFERENCES customer (customer_id),
    ordered_on DATE NOT NULL,
    total DECIMAL(10,2) NOT NULL
);
CREATE TABLE order_line (
    line_id INTEGER NOT NULL PRIMARY KEY,
    order_id TEXT NOT NULL REFERENCES orders (order_id),
    track VARCHAR(200) NOT NULL,
    artist VARCHAR(120),
    unit_price DECIMAL(10,2) NOT NULL,
    quantity INTEGER NOT NULL
);
