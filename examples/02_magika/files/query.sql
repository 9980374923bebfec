CREATE TABLE tides (
    day TEXT NOT NULL,
    time TEXT NOT NULL,
    tide TEXT CHECK (tide IN ('high', 'low')),
    height_metres REAL NOT NULL,
    PRIMARY KEY (day, time)
);

INSERT INTO tides VALUES ('2024-03-01', '03:12', 'high', 3.9);

SELECT day, MAX(height_metres) AS highest
FROM tides
WHERE tide = 'high'
GROUP BY day
ORDER BY day;
