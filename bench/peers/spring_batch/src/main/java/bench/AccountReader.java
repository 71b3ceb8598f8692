package bench;

import java.math.BigDecimal;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.LocalDate;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.sql.DataSource;
import org.springframework.batch.infrastructure.item.ExecutionContext;
import org.springframework.batch.infrastructure.item.ItemStreamReader;
import org.springframework.jdbc.core.JdbcTemplate;

/**
 * Customers of one range of keys, a page at a time: their orders and lines are gathered set-wise, by three queries a page.
 * A restart goes on after the last key that was committed.
 */
class AccountReader implements ItemStreamReader<Account> {
    private static final String LAST = "last.key";
    private final JdbcTemplate source;
    private final long high;
    private final int page;
    private final Deque<Account> waiting = new ArrayDeque<>();
    private long read;
    private long given;

    AccountReader(DataSource source, long low, long high, int page) {
        this.source = new JdbcTemplate(source);
        this.read = low - 1;
        this.given = low - 1;
        this.high = high;
        this.page = page;
    }

    @Override
    public void open(ExecutionContext context) {
        read = context.getLong(LAST, read);
        given = read;
    }

    @Override
    public void update(ExecutionContext context) {
        context.putLong(LAST, given);
    }

    @Override
    public Account read() {
        if (waiting.isEmpty()) {
            fill();
        }
        Account next = waiting.poll();
        if (next != null) {
            given = next.customer().key();
        }
        return next;
    }

    private void fill() {
        if (read >= high) {
            return;
        }
        List<Account.Customer> customers = source.query(
            "SELECT * FROM customer WHERE c_custkey > ? AND c_custkey <= ? ORDER BY c_custkey LIMIT ?",
            (row, at) -> customer(row), read, high, page);
        if (customers.isEmpty()) {
            read = high;
            return;
        }
        long first = customers.get(0).key();
        long last = customers.get(customers.size() - 1).key();
        Map<Long, List<Account.Order>> orders = new HashMap<>(customers.size() * 2);
        source.query("SELECT * FROM orders WHERE o_custkey BETWEEN ? AND ?", row -> {
            Account.Order order = order(row);
            orders.computeIfAbsent(order.customer(), key -> new ArrayList<>()).add(order);
        }, first, last);
        Map<Long, List<Account.Line>> lines = new HashMap<>(customers.size() * 2);
        source.query("SELECT l.*, o_custkey FROM orders JOIN lineitem AS l ON l_orderkey = o_orderkey"
            + " WHERE o_custkey BETWEEN ? AND ?", row -> {
            lines.computeIfAbsent(row.getLong(17), key -> new ArrayList<>()).add(line(row));
        }, first, last);
        for (Account.Customer one : customers) {
            waiting.add(new Account(one, orders.getOrDefault(one.key(), List.of()),
                lines.getOrDefault(one.key(), List.of())));
        }
        read = last;
    }

    private static Account.Customer customer(ResultSet row) throws SQLException {
        return new Account.Customer(row.getLong(1), row.getString(2), row.getString(3), row.getInt(4), row.getString(5),
            row.getBigDecimal(6), row.getString(7), row.getString(8));
    }

    private static Account.Order order(ResultSet row) throws SQLException {
        return new Account.Order(row.getLong(1), row.getLong(2), row.getString(3), row.getBigDecimal(4), day(row, 5),
            row.getString(6), row.getString(7), row.getInt(8), row.getString(9));
    }

    private static Account.Line line(ResultSet row) throws SQLException {
        return new Account.Line(row.getLong(1), row.getLong(2), row.getLong(3), row.getInt(4), money(row, 5), money(row, 6),
            money(row, 7), money(row, 8), row.getString(9), row.getString(10), day(row, 11), day(row, 12), day(row, 13),
            row.getString(14), row.getString(15), row.getString(16));
    }

    private static BigDecimal money(ResultSet row, int at) throws SQLException {
        return row.getBigDecimal(at);
    }

    private static LocalDate day(ResultSet row, int at) throws SQLException {
        return row.getObject(at, LocalDate.class);
    }
}
