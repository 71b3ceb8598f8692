package bench;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.sql.DataSource;
import org.springframework.batch.core.BatchStatus;
import org.springframework.batch.core.configuration.annotation.EnableBatchProcessing;
import org.springframework.batch.core.configuration.annotation.EnableJdbcJobRepository;
import org.springframework.batch.core.configuration.annotation.StepScope;
import org.springframework.batch.core.job.Job;
import org.springframework.batch.core.job.JobExecution;
import org.springframework.batch.core.job.builder.JobBuilder;
import org.springframework.batch.core.job.parameters.JobParameters;
import org.springframework.batch.core.launch.JobOperator;
import org.springframework.batch.core.partition.Partitioner;
import org.springframework.batch.core.repository.JobRepository;
import org.springframework.batch.core.step.Step;
import org.springframework.batch.core.step.builder.StepBuilder;
import org.springframework.batch.infrastructure.item.ExecutionContext;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.io.ClassPathResource;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.datasource.init.ResourceDatabasePopulator;
import org.springframework.jdbc.support.JdbcTransactionManager;
import org.springframework.scheduling.concurrent.ThreadPoolTaskExecutor;

/**
 * The migration as a Spring Batch job: {@code Main THREADS CHUNK}; JDBC addresses (with a parameter) in SOURCE, META, CRM, BILLING, LOGISTICS.
 * Customers are cut into ranges of keys (four for each thread), which threads move at the same time, chunk by chunk.
 */
@Configuration
@EnableBatchProcessing
@EnableJdbcJobRepository
public class Main {
    private static int threads;
    private static int chunk;

    public static void main(String[] arguments) throws Exception {
        threads = Integer.parseInt(arguments[0]);
        chunk = Integer.parseInt(arguments[1]);
        try (AnnotationConfigApplicationContext context = new AnnotationConfigApplicationContext(Main.class)) {
            JobExecution ran = context.getBean(JobOperator.class).start(context.getBean(Job.class), new JobParameters());
            if (ran.getStatus() != BatchStatus.COMPLETED) {
                ran.getAllFailureExceptions().forEach(Throwable::printStackTrace);
                System.exit(1);
            }
        }
    }

    private static DataSource pool(String name, String options) {
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(System.getenv(name) + options);
        config.setMaximumPoolSize(threads + 2);
        config.setMinimumIdle(1);
        return new HikariDataSource(config);
    }

    @Bean
    DataSource source() {
        return pool("SOURCE", "&readOnly=true");
    }

    @Bean
    DataSource dataSource() {
        DataSource made = pool("META", "");
        new ResourceDatabasePopulator(new ClassPathResource("org/springframework/batch/core/schema-postgresql.sql"))
            .execute(made);
        return made;
    }

    @Bean
    DataSource crm() {
        return pool("CRM", "&reWriteBatchedInserts=true");
    }

    @Bean
    DataSource billing() {
        return pool("BILLING", "&reWriteBatchedInserts=true");
    }

    @Bean
    DataSource logistics() {
        return pool("LOGISTICS", "&reWriteBatchedInserts=true");
    }

    @Bean
    JdbcTransactionManager transactionManager(@Qualifier("dataSource") DataSource meta) {
        return new JdbcTransactionManager(meta);
    }

    @Bean
    ThreadPoolTaskExecutor workers() {
        ThreadPoolTaskExecutor made = new ThreadPoolTaskExecutor();
        made.setCorePoolSize(threads);
        made.setMaxPoolSize(threads);
        return made;
    }

    @Bean
    @StepScope
    AccountReader reader(@Qualifier("source") DataSource source, @Value("#{stepExecutionContext['low']}") long low,
                         @Value("#{stepExecutionContext['high']}") long high) {
        return new AccountReader(source, low, high, chunk);
    }

    @Bean
    Partitioner ranges(@Qualifier("source") DataSource source) {
        return size -> {
            Map<String, Object> ends = new JdbcTemplate(source)
                .queryForMap("SELECT min(c_custkey) AS low, max(c_custkey) AS high FROM customer");
            long low = (Long) ends.get("low");
            long high = (Long) ends.get("high");
            long width = (high - low) / size + 1;
            Map<String, ExecutionContext> parts = new HashMap<>();
            for (int at = 0; at < size; at++) {
                ExecutionContext part = new ExecutionContext();
                part.putLong("low", low + at * width);
                part.putLong("high", Math.min(high, low + (at + 1) * width - 1));
                parts.put("part" + at, part);
            }
            return parts;
        };
    }

    @Bean
    Step move(JobRepository repository, AccountReader reader, JdbcTransactionManager transactions,
              @Qualifier("crm") DataSource crm, @Qualifier("billing") DataSource billing,
              @Qualifier("logistics") DataSource logistics) {
        return new StepBuilder("move", repository).<Account, Account>chunk(chunk)
            .reader(reader).processor(new Transformation()).writer(new AccountWriter(crm, billing, logistics))
            .transactionManager(new Together(transactions, List.of(billing, crm, logistics))).build();
    }

    @Bean
    Job job(JobRepository repository, @Qualifier("move") Step move, Partitioner ranges, ThreadPoolTaskExecutor workers) {
        Step all = new StepBuilder("all", repository).partitioner("move", ranges).step(move).gridSize(4 * threads)
            .taskExecutor(workers).build();
        return new JobBuilder("tpch", repository).start(all).build();
    }
}
