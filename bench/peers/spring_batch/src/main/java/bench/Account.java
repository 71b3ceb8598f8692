package bench;

import java.math.BigDecimal;
import java.time.LocalDate;
import java.util.List;

/** One item: a customer with all orders and lines. */
record Account(Customer customer, List<Order> orders, List<Line> lines) {

    record Customer(long key, String name, String address, int nation, String phone, BigDecimal balance, String segment,
                    String comment) {}

    record Order(long key, long customer, String status, BigDecimal total, LocalDate date, String priority, String clerk,
                 int shipPriority, String comment) {}

    record Line(long order, long part, long supplier, int number, BigDecimal quantity, BigDecimal price,
                BigDecimal discount, BigDecimal tax, String returned, String status, LocalDate shipped,
                LocalDate committed, LocalDate received, String instructions, String mode, String comment) {}
}
