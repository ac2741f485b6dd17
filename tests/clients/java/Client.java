import java.nio.file.*;
import java.sql.*;
import java.util.*;

/** pgjdbc: simple and extended protocol, parameters, and binary results after the statement was used often enough. */
public class Client {
    static int failed = 0;

    static void check(String name, boolean ok) {
        if (!ok) failed++;
        System.out.println((ok ? "ok " : "not ok ") + name);
    }

    public static void main(String[] args) throws Exception {
        List<String> q = Files.readAllLines(Path.of(args[2]));
        Properties p = new Properties();
        p.put("user", "ana");
        p.put("password", System.getenv("PGPASSWORD"));
        p.put("sslmode", "verify-ca");
        p.put("sslrootcert", args[1]);
        for (String mode : new String[] {"simple", "extended"}) {
            p.put("preferQueryMode", mode);
            try (Connection c = DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + args[0] + "/campaign", p)) {
                try (ResultSet r = c.createStatement().executeQuery(q.get(0))) {
                    ResultSetMetaData m = r.getMetaData();
                    check("jdbc " + mode + ": overlap", r.next() && m.getColumnName(1).equals("overlap") && m.getColumnType(1) == Types.BIGINT && r.getLong(1) > 400);
                }
                try (PreparedStatement s = c.prepareStatement(q.get(1).replace("$1", "?").replace("$2", "?"))) {
                    s.setInt(1, 30);
                    s.setBoolean(2, true);
                    boolean ok = true;
                    for (int i = 0; i < (mode.equals("extended") ? 6 : 1); i++) {
                        int rows = 0;
                        try (ResultSet r = s.executeQuery()) {
                            ok = ok && r.getMetaData().getColumnType(3) == Types.NUMERIC;
                            for (; r.next(); rows++) ok = ok && r.getString(1) != null && r.getLong(2) > -1000 && r.getBigDecimal(3) != null;
                        }
                        ok = ok && rows == 4;
                    }
                    check("jdbc " + mode + ": parameters, types", ok);
                }
                try {
                    c.createStatement().executeQuery("SELECT * FROM brand.customers");
                    check("jdbc " + mode + ": refusal", false);
                } catch (SQLException e) {
                    check("jdbc " + mode + ": refusal", "42501".equals(e.getSQLState()));
                }
                try (ResultSet r = c.getMetaData().getColumns(null, "brand", "customers", null)) {
                    int n = 0;
                    while (r.next()) n++;
                    check("jdbc " + mode + ": metadata", n == 6);
                }
            }
        }
        System.exit(failed > 0 ? 1 : 0);
    }
}
