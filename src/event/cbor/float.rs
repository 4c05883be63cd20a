/// The shortest of the three float forms that keeps a value, as its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shortest {
    Half(u16),
    Single(u32),
    Double(u64),
}

/// The quiet NaN without payload: the one form that every NaN is written in.
const HALF_NAN: u16 = 0x7e00;

/// Shortest form that gives back the same value, the sign of zero included; any NaN becomes one.
pub(super) fn shortest(value: f64) -> Shortest {
    if value.is_nan() {
        return Shortest::Half(HALF_NAN);
    }
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "no other narrowing of floats exists; what it loses is seen by the comparison"
    )]
    let single = value as f32;
    if f64::from(single).to_bits() != value.to_bits() {
        return Shortest::Double(value.to_bits());
    }
    narrow_to_half(single.to_bits()).map_or(Shortest::Single(single.to_bits()), Shortest::Half)
}

/// The half-precision bits of a single-precision number that is not NaN, where none are lost.
fn narrow_to_half(single: u32) -> Option<u16> {
    let sign = (single >> 16) & 0x8000;
    let exponent = (single >> 23) & 0xff;
    let mantissa = single & 0x007f_ffff;
    let magnitude = match exponent {
        0 if mantissa == 0 => 0,
        255 => 0x7c00,
        // Exponents -14 to 15: normal in both forms.
        113..=142 if mantissa.trailing_zeros() >= 13 => ((exponent - 112) << 10) | (mantissa >> 13),
        // Exponents -24 to -15: subnormal in the half form, so the leading one becomes explicit.
        103..=112 => {
            let explicit = mantissa | 0x0080_0000;
            let shift = 126 - exponent;
            if explicit.trailing_zeros() < shift {
                return None;
            }
            explicit >> shift
        }
        _ => return None,
    };
    u16::try_from(sign | magnitude).ok()
}

/// The value of half-precision bits.
pub(super) fn widen_half(half: u16) -> f64 {
    let exponent = u64::from((half >> 10) & 0x1f);
    let mantissa = u64::from(half & 0x03ff);
    let magnitude = match exponent {
        // Subnormal: a multiple of 2^-24.
        0 => f64::from(half & 0x03ff) * f64::from_bits((1023 - 24) << 52),
        31 if mantissa == 0 => f64::INFINITY,
        31 => f64::NAN,
        _ => f64::from_bits(((exponent + 1023 - 15) << 52) | (mantissa << 42)),
    };
    if half & 0x8000 == 0 {
        magnitude
    } else {
        -magnitude
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `decode_half` of RFC 8949 appendix D.
    fn decode_half_by_the_book(half: u16) -> f64 {
        let exponent = i32::from(half >> 10) & 0x1f;
        let mantissa = f64::from(half & 0x3ff);
        let value = match exponent {
            0 => mantissa * 2f64.powi(-24),
            31 if mantissa == 0.0 => f64::INFINITY,
            31 => f64::NAN,
            _ => (mantissa + 1024.0) * 2f64.powi(exponent - 25),
        };
        if half & 0x8000 == 0 { value } else { -value }
    }

    #[test]
    fn every_half_is_read_by_the_book_and_written_as_itself() {
        for half in 0..=u16::MAX {
            let expected = decode_half_by_the_book(half);
            let value = widen_half(half);
            if expected.is_nan() {
                assert!(value.is_nan());
                assert_eq!(shortest(value), Shortest::Half(HALF_NAN));
            } else {
                assert_eq!(value.to_bits(), expected.to_bits(), "{half:04x}");
                assert_eq!(shortest(value), Shortest::Half(half), "{half:04x}");
            }
        }
    }

    #[test]
    fn a_single_that_is_no_half_is_written_as_itself() {
        // One bit more than the nearest half has: neighbours of every half, on both sides.
        for half in 0..=u16::MAX {
            let value = widen_half(half);
            #[expect(
                clippy::as_conversions,
                clippy::cast_possible_truncation,
                reason = "exact"
            )]
            let single = (value as f32).to_bits();
            for near in [single.wrapping_add(1), single.wrapping_sub(1)] {
                let near = f32::from_bits(near);
                if !near.is_nan() && near.is_finite() {
                    assert_eq!(shortest(near.into()), Shortest::Single(near.to_bits()));
                }
            }
        }
    }

    #[test]
    fn a_double_that_is_no_single_is_written_as_itself() {
        for value in [0.1, 1.1, -4.1, 1e300, f64::MIN_POSITIVE, f64::MAX, 5e-324] {
            assert_eq!(shortest(value), Shortest::Double(value.to_bits()));
        }
    }
}
