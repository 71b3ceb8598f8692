package bench;

import java.util.ArrayList;
import java.util.List;
import javax.sql.DataSource;
import org.springframework.batch.infrastructure.item.Chunk;
import org.springframework.batch.infrastructure.item.ItemWriter;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.core.ParameterizedPreparedStatementSetter;

/** A chunk into three databases by JDBC batches, which the driver rewrites to inserts of many rows. */
final class AccountWriter implements ItemWriter<Account> {
    private static final int BATCH = 2_000;
    private final JdbcTemplate crm;
    private final JdbcTemplate billing;
    private final JdbcTemplate logistics;

    AccountWriter(DataSource crm, DataSource billing, DataSource logistics) {
        this.crm = new JdbcTemplate(crm);
        this.billing = new JdbcTemplate(billing);
        this.logistics = new JdbcTemplate(logistics);
    }

    @Override
    public void write(Chunk<? extends Account> chunk) {
        List<Account.Customer> customers = new ArrayList<>();
        List<Account.Order> orders = new ArrayList<>();
        List<Account.Line> lines = new ArrayList<>();
        for (Account item : chunk) {
            customers.add(item.customer());
            orders.addAll(item.orders());
            lines.addAll(item.lines());
        }
        batch(crm, "INSERT INTO customer VALUES (?,?,?,?,?,?,?,?)", customers, (row, one) -> {
            row.setLong(1, one.key());
            row.setString(2, one.name());
            row.setString(3, one.address());
            row.setInt(4, one.nation());
            row.setString(5, one.phone());
            row.setBigDecimal(6, one.balance());
            row.setString(7, one.segment());
            row.setString(8, one.comment());
        });
        batch(billing, "INSERT INTO orders VALUES (?,?,?,?,?,?,?,?,?)", orders, (row, one) -> {
            row.setLong(1, one.key());
            row.setLong(2, one.customer());
            row.setString(3, one.status());
            row.setBigDecimal(4, one.total());
            row.setObject(5, one.date());
            row.setString(6, one.priority());
            row.setString(7, one.clerk());
            row.setInt(8, one.shipPriority());
            row.setString(9, one.comment());
        });
        batch(logistics, "INSERT INTO lineitem VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", lines, (row, one) -> {
            row.setLong(1, one.order());
            row.setLong(2, one.part());
            row.setLong(3, one.supplier());
            row.setInt(4, one.number());
            row.setBigDecimal(5, one.quantity());
            row.setBigDecimal(6, one.price());
            row.setBigDecimal(7, one.discount());
            row.setBigDecimal(8, one.tax());
            row.setString(9, one.returned());
            row.setString(10, one.status());
            row.setObject(11, one.shipped());
            row.setObject(12, one.committed());
            row.setObject(13, one.received());
            row.setString(14, one.instructions());
            row.setString(15, one.mode());
            row.setString(16, one.comment());
        });
    }

    private static <T> void batch(JdbcTemplate into, String sql, List<T> rows, ParameterizedPreparedStatementSetter<T> set) {
        if (!rows.isEmpty()) {
            into.batchUpdate(sql, rows, BATCH, set);
        }
    }
}
