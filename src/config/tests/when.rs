use proptest::prelude::*;

use crate::domain::Glob;

#[test]
fn only_the_star_is_special() {
    let check = |pattern: &str, name: &str, matches: bool| {
        assert_eq!(Glob::new(pattern).matches(name), matches, "{pattern} against {name}");
    };
    check("shop", "shop", true);
    check("shop", "shops", false);
    check("shop", "Shop", false);
    check("shop-*", "shop-web", true);
    check("shop-*", "shop-", true);
    check("shop-*", "shop", false);
    check("*-web", "shop-web", true);
    check("*", "", true);
    check("a*b*c", "abc", true);
    check("a*b*c", "a-b-b-c", true);
    check("a*b*c", "acb", false);
    check("a**c", "ac", true);
    check("*a*a*", "a", false);
    check("ab*ba", "aba", false);
    check("a?c", "abc", false);
    check("a.c", "abc", false);
    check("ü*", "uber", false);
    check("ü*", "übü", true);
}

proptest! {
    #[test]
    fn a_pattern_with_a_star_matches_what_its_parts_enclose(a in "[ab*]{0,4}", b in "[ab]{0,4}", c in "[ab]{0,4}") {
        let literal = a.replace('*', "");
        let pattern = format!("{literal}*{b}*");
        let name = format!("{literal}{c}{b}{c}");
        prop_assert!(Glob::new(pattern).matches(&name));
    }
}
