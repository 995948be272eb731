//! Families of samples, and their text.

use std::fmt::Write;

use prometheus::TextEncoder;
use prometheus::core::Collector;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

/// Metric with all its samples.
pub type Family = MetricFamily;

/// Labels of one sample: names and values.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// Returns the families of a counter or histogram as they are now.
pub fn family_of(metric: &impl Collector) -> Vec<Family> {
    metric.collect()
}

/// Returns a gauge with one sample for each pair of labels and value.
pub fn gauge<'a>(name: &str, help: &str, samples: impl IntoIterator<Item = (Labels<'a>, f64)>) -> Family {
    let sample = |(labels, value)| {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = Metric::from_label(pairs(labels));
        metric.set_gauge(gauge);
        metric
    };
    family(name, help, MetricType::GAUGE, samples.into_iter().map(sample).collect())
}

/// Returns a counter whose value is kept elsewhere.
pub fn counter(name: &str, help: &str, value: u64) -> Family {
    let mut counter = Counter::default();
    counter.set_value(value as f64);
    let mut metric = Metric::from_label(Vec::new());
    metric.set_counter(counter);
    family(name, help, MetricType::COUNTER, vec![metric])
}

fn family(name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) -> Family {
    let mut family = Family::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

fn pairs(labels: Labels) -> Vec<LabelPair> {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    labels.iter().map(pair).collect()
}

/// Writes families in Prometheus' text format 0.0.4. A family without samples keeps its description and its
/// type, so that a scrape tells all metrics from the start.
pub fn text(families: &[Family]) -> String {
    let mut out = String::with_capacity(16 * 1024);
    for family in families {
        if family.get_metric().is_empty() {
            let kind = format!("{:?}", family.get_field_type()).to_lowercase();
            // Writing to a text cannot fail.
            let _ = writeln!(out, "# HELP {0} {1}\n# TYPE {0} {kind}", family.name(), family.help());
            continue;
        }
        // Neither a text nor a family with a name and samples fails.
        let _ = TextEncoder::new().encode_utf8(std::slice::from_ref(family), &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SHORT, histogram, totals};

    #[test]
    fn families_are_written_as_prometheus_reads_them() {
        let gauges = gauge("a_bytes", "Bytes", [(&[("of", "a \"b\"\\\n")][..], 1.0), (&[("of", "c")], 0.5)]);
        let none = totals("b_total", "None yet", &["of"]);
        let times = histogram("c_seconds", "Times", &SHORT[..2]);
        times.observe(0.002);
        times.observe(7.0);
        let mut families = vec![gauges, counter("d_total", "Some", 3)];
        families.extend(family_of(&none));
        families.extend(family_of(&times));
        let wanted = "# HELP a_bytes Bytes\n# TYPE a_bytes gauge\n\
            a_bytes{of=\"a \\\"b\\\"\\\\\\n\"} 1\na_bytes{of=\"c\"} 0.5\n\
            # HELP d_total Some\n# TYPE d_total counter\nd_total 3\n\
            # HELP b_total None yet\n# TYPE b_total counter\n\
            # HELP c_seconds Times\n# TYPE c_seconds histogram\n\
            c_seconds_bucket{le=\"0.001\"} 0\nc_seconds_bucket{le=\"0.0025\"} 1\n\
            c_seconds_bucket{le=\"+Inf\"} 2\nc_seconds_sum 7.002\nc_seconds_count 2\n";
        assert_eq!(text(&families), wanted);
    }
}
