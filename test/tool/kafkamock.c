/*
 * kafkamock TOPIC PARTITIONS - a cluster of one Kafka broker, by librdkafka's mock, for an
 * unmodified kcat on this machine: prints its bootstrap servers, and runs until its standard
 * input ends.  It keeps the last 5 MB of a partition, in memory.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>

int
main(int argc, char *argv[])
{
	char error[512];
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), error, sizeof error);
	rd_kafka_mock_cluster_t *cluster = rk && argc == 3 ? rd_kafka_mock_cluster_new(rk, 1) : NULL;

	if (!cluster || rd_kafka_mock_topic_create(cluster, argv[1], atoi(argv[2]), 1) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		fprintf(stderr, "kafkamock: %s\n", rk ? "no cluster" : error);
		return 1;
	}
	puts(rd_kafka_mock_cluster_bootstraps(cluster));
	fflush(stdout);
	while (getchar() != EOF)
		;
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(rk);
	return 0;
}
