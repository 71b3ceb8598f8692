package bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.springframework.batch.infrastructure.item.ItemProcessor;

/** What the five SQL steps of the job do, for one customer. */
final class Transformation implements ItemProcessor<Account, Account> {
    @Override
    public Account process(Account item) {
        List<Account.Order> orders = new ArrayList<>(item.orders().size());
        for (Account.Order one : item.orders()) {
            orders.add(order(one));
        }
        List<Account.Line> lines = new ArrayList<>(item.lines().size());
        for (Account.Line one : item.lines()) {
            lines.add(line(one));
        }
        return new Account(customer(item.customer()), orders, lines);
    }

    private static Account.Customer customer(Account.Customer one) {
        return new Account.Customer(one.key(), one.name(), one.address(), one.nation(), one.phone().replace('-', ' '),
            one.balance(), one.segment().toLowerCase(Locale.ROOT), one.comment().strip());
    }

    private static Account.Order order(Account.Order one) {
        String status = switch (one.status()) {
            case "F" -> "settled";
            case "O" -> "open";
            default -> "part";
        };
        return new Account.Order(one.key(), one.customer(), status, one.total(), one.date(), one.priority().substring(0, 1),
            one.clerk(), one.shipPriority(), one.comment().strip());
    }

    private static Account.Line line(Account.Line one) {
        return new Account.Line(one.order(), one.part(), one.supplier(), one.number(), one.quantity(), one.price(),
            one.discount(), one.tax(), one.returned(), one.status().equals("F") ? "shipped" : "open", one.shipped(),
            one.committed(), one.received(), one.instructions().toLowerCase(Locale.ROOT), one.mode(), one.comment().strip());
    }
}
