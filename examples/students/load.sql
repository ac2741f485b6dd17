-- 3,005 students, 202 of them above 40,000, made from their numbers alone: the same on every machine.
CREATE SCHEMA school;
CREATE TABLE school.students (student_id integer PRIMARY KEY, faculty text NOT NULL, age integer NOT NULL, income integer NOT NULL);
INSERT INTO school.students
SELECT n, (ARRAY['law', 'medicine', 'science', 'arts'])[1 + n % 4], 18 + (n * 7) % 12,
       CASE WHEN n <= 202 THEN 40001 + (n * 997) % 50000 ELSE (n * 613) % 40001 END
FROM generate_series(1, 3005) AS n;
