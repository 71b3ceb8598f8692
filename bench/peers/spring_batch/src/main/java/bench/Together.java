package bench;

import java.util.ArrayList;
import java.util.List;
import javax.sql.DataSource;
import org.springframework.jdbc.datasource.DataSourceTransactionManager;
import org.springframework.jdbc.support.JdbcTransactionManager;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.TransactionDefinition;
import org.springframework.transaction.TransactionStatus;
import org.springframework.transaction.support.AbstractPlatformTransactionManager;

/** One transaction per database around a chunk, committed one after the other, the repository's last. */
final class Together implements PlatformTransactionManager {
    private final JdbcTransactionManager repository;
    private final List<DataSourceTransactionManager> targets = new ArrayList<>();

    Together(JdbcTransactionManager repository, List<DataSource> targets) {
        this.repository = repository;
        for (DataSource one : targets) {
            JdbcTransactionManager manager = new JdbcTransactionManager(one);
            manager.setTransactionSynchronization(AbstractPlatformTransactionManager.SYNCHRONIZATION_NEVER);
            this.targets.add(manager);
        }
    }

    private final ThreadLocal<List<TransactionStatus>> open = new ThreadLocal<>();

    @Override
    public TransactionStatus getTransaction(TransactionDefinition definition) {
        TransactionStatus first = repository.getTransaction(definition);
        if (first.isNewTransaction()) {
            List<TransactionStatus> others = new ArrayList<>();
            for (DataSourceTransactionManager one : targets) {
                others.add(one.getTransaction(definition));
            }
            open.set(others);
        }
        return first;
    }

    @Override
    public void commit(TransactionStatus status) {
        if (status.isNewTransaction()) {
            if (status.isRollbackOnly()) {
                rollback(status);
                return;
            }
            List<TransactionStatus> others = open.get();
            for (int at = 0; at < targets.size(); at++) {
                targets.get(at).commit(others.get(at));
            }
            open.remove();
        }
        repository.commit(status);
    }

    @Override
    public void rollback(TransactionStatus status) {
        if (status.isNewTransaction()) {
            List<TransactionStatus> others = open.get();
            for (int at = 0; at < targets.size(); at++) {
                if (!others.get(at).isCompleted()) {
                    targets.get(at).rollback(others.get(at));
                }
            }
            open.remove();
        }
        repository.rollback(status);
    }
}
